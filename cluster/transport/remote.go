package transport

import "errors"

// remoteError is err as the caller of a peer sees it.
func remoteError(err error) error {
	if err == nil {
		return nil
	}
	r := &RemoteError{Text: err.Error()}
	var c Coder
	if errors.As(err, &c) {
		r.Code = c.Code()
	}
	return r
}
