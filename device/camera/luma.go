package camera

import (
	"image"
	"image/color"
)

// gridHeight is about the height in cells to which pictures are reduced: people
// at 30 m still cover several cells, and sensor noise averages out.
const gridHeight = 96

// Luma is a small grey picture: cell (x, y) is Cells[y*Width+x], the mean luma
// of a square of pixels, 0 to 255.
type Luma struct {
	Width, Height int
	Cells         []float32
}

// Shrink reduces a picture to about 96 rows of square cells. Of a YCbCr picture
// it reads the luma plane alone. Rows and columns of pixels that do not fill a
// cell are left out. It returns nil for a picture without pixels.
func Shrink(img image.Image) *Luma {
	b := img.Bounds()
	side := max(1, (b.Dy()+gridHeight/2)/gridHeight)
	side = min(side, b.Dx(), b.Dy())
	if side < 1 {
		return nil
	}
	l := &Luma{Width: b.Dx() / side, Height: b.Dy() / side}
	l.Cells = make([]float32, l.Width*l.Height)
	switch m := img.(type) {
	case *image.YCbCr:
		l.average(m.Y[m.YOffset(b.Min.X, b.Min.Y):], m.YStride, side)
	case *image.Gray:
		l.average(m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, side)
	default:
		l.sample(img, side)
	}
	return l
}

// average fills the cells with the means of side x side bytes of a plane.
func (l *Luma) average(plane []uint8, stride, side int) {
	sums := make([]uint32, l.Width)
	scale := 1 / float32(side*side)
	for y := range l.Height {
		clear(sums)
		for r := range side {
			row := plane[(y*side+r)*stride:]
			row = row[:l.Width*side]
			for x := range sums {
				var s uint32
				for _, p := range row[x*side : x*side+side] {
					s += uint32(p)
				}
				sums[x] += s
			}
		}
		for x, s := range sums {
			l.Cells[y*l.Width+x] = float32(s) * scale
		}
	}
}

// sample fills the cells from up to 16 pixels each, for the rare pictures that
// have no luma plane (CMYK and RGB JPEGs).
func (l *Luma) sample(img image.Image, side int) {
	b := img.Bounds()
	step := max(1, side/4)
	for y := range l.Height {
		for x := range l.Width {
			var sum, n float32
			for dy := 0; dy < side; dy += step {
				for dx := 0; dx < side; dx += step {
					g := color.GrayModel.Convert(img.At(b.Min.X+x*side+dx, b.Min.Y+y*side+dy)).(color.Gray)
					sum += float32(g.Y)
					n++
				}
			}
			l.Cells[y*l.Width+x] = sum / n
		}
	}
}
