package main

import (
	"context"

	"skerry/api"
	"skerry/cloudsync"
	"skerry/coap"
)

// coapSamples are the devices' door's figures for /metrics.
func coapSamples(s coap.Stats) []api.Sample {
	list := []api.Sample{
		counter("coap_datagrams_total", "Datagrams received from devices.", s.Datagrams),
		counter("coap_malformed_total", "Datagrams that are no CoAP.", s.Malformed),
		counter("coap_pings_total", "Empty confirmable messages.", s.Pings),
		counter("coap_resets_total", "Resets sent.", s.Resets),
		counter("coap_unsent_total", "Replies that the kernel did not send.", s.Unsent),
		counter("coap_duplicates_total", "Posts answered from an earlier copy.", s.Duplicates),
		counter("coap_proposals_total", "Commands given to the site.", s.Proposals),
		counter("ingest_readings_total", "Readings of devices stored, copies left out.", s.Readings),
		counter("ingest_frames_total", "Frames of devices stored, copies left out.", s.Frames),
		gauge("coap_peers", "Endpoints remembered.", float64(s.Peers)),
		gauge("coap_flights", "Messages on their way to the site.", float64(s.Flights)),
		gauge("coap_flight_bytes", "Bytes of them.", float64(s.Bytes)),
		gauge("coap_observations", "Observations by devices.", float64(s.Observers)),
		counter("coap_notifications_total", "Notifications made for them.", s.Notifications),
		counter("coap_observations_lost_total", "Observations ended because their peer did not answer.", s.Lost),
		gauge("coap_sessions", "DTLS sessions.", float64(s.Sessions)),
		gauge("coap_connections", "Connections of devices over TCP and TLS.", float64(s.Connections)),
		counter("coap_handshakes_total", "DTLS handshakes complete.", s.Handshakes),
		counter("coap_handshakes_lost_total", "DTLS handshakes refused or given up.", s.HandshakesLost),
	}
	list = append(list, labelled("coap_requests_total", "Requests by method.", "method", s.Requests)...)
	list = append(list, labelled("coap_responses_total", "Responses by code.", "code", s.Responses)...)
	return append(list, labelled("coap_refused_total", "Requests refused or dropped, by reason.", "reason", s.Refused)...)
}

// bucketSamples are the bucket's figures for /metrics.
func bucketSamples(syncer *cloudsync.Syncer) []api.Sample {
	s, err := syncer.Status(context.Background()) // of this node's own view, which waits for nobody
	if err != nil {
		return nil // the node is stopping
	}
	failed := 0.0
	if s.LastError != "" {
		failed = 1
	}
	list := []api.Sample{gauge("cloud_failing", "1 where shipping last ended with an error.", failed)}
	for _, t := range s.Tables {
		label := [2]string{"table", t.Table}
		list = append(list,
			api.Sample{Name: "cloud_backlog_rows", Help: "Rows that the table does not have.", Label: label, Value: float64(t.BacklogRows)},
			api.Sample{Name: "cloud_backlog_bytes", Help: "Bytes of closed rows that the table does not have.", Label: label, Value: float64(t.BacklogBytes)},
			api.Sample{Name: "cloud_lag_seconds", Help: "Age of the oldest row that the table does not have.", Label: label, Value: t.LagSeconds},
			api.Sample{Name: "cloud_commit", Help: "Number of the table's last commit with rows.", Label: label, Value: float64(t.Commit)},
		)
	}
	return list
}

func counter(name, help string, n uint64) api.Sample {
	return api.Sample{Name: name, Help: help, Counter: true, Value: float64(n)}
}

func gauge(name, help string, v float64) api.Sample {
	return api.Sample{Name: name, Help: help, Value: v}
}

// labelled are counters that share a name, by one label.
func labelled(name, help, label string, counts map[string]uint64) []api.Sample {
	list := make([]api.Sample, 0, len(counts))
	for value, n := range counts {
		list = append(list, api.Sample{Name: name, Help: help, Counter: true, Label: [2]string{label, value}, Value: float64(n)})
	}
	return list
}
