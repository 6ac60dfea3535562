package main

import (
	"fmt"

	gometrics "github.com/hashicorp/go-metrics"
	raftsink "github.com/hashicorp/go-metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
)

// collectRaft has the figures that hashicorp/raft and memberlist keep of
// themselves appear in the registry, as skerry_raft_... and
// skerry_memberlist_.... They reach the sink only in a build with the tag
// hashicorpmetrics.
func collectRaft(registry prometheus.Registerer) error {
	sink, err := raftsink.NewPrometheusSinkFrom(raftsink.PrometheusOpts{Registerer: registry})
	if err != nil {
		return fmt.Errorf("collect raft's figures: %w", err)
	}
	cfg := gometrics.DefaultConfig("skerry")
	cfg.EnableHostname, cfg.EnableRuntimeMetrics = false, false
	if _, err := gometrics.NewGlobal(cfg, sink); err != nil {
		return fmt.Errorf("collect raft's figures: %w", err)
	}
	return nil
}
