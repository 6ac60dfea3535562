// Package camera turns a camera into readings: it watches pictures, and when
// something moves it stores one key frame, the camera's own bytes, and how much
// of the picture moved.
//
// A Source gives frames (MJPEG over HTTP, a folder of JPEGs, a seeded test
// pattern). Inspect refuses what is too large or not a whole JPEG before any
// pixel is decoded. A Detector compares small luma pictures with a running
// background, a Tracker makes events of its findings, and the Camera proposes
// each event: a frame and a reading, both at the key frame's time, under keys
// that every retry of the event shares.
//
// At any time a camera holds one frame in hand, one that waits (a newer one
// takes its place), one key frame of the running event and at most MaxWaiting
// events that the site has not taken yet.
package camera
