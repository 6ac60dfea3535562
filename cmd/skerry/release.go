//go:build !trial

package main

import (
	"context"

	"skerry/cluster"
)

// nextVersion and tryNext are where a build with the tag trial becomes the
// version after this one (trial.go), for tests of upgrades. In a release they do
// nothing.
func nextVersion(*cluster.Config) {}

func (p *parts) tryNext(context.Context) {}
