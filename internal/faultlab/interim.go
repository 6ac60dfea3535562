package faultlab

import (
	"errors"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

// stores are raft's, in memory, until they are on the disk.
type stores struct {
	log       *raft.InmemStore
	snapshots *raft.InmemSnapshotStore
}

func newStores() stores { return stores{raft.NewInmemStore(), raft.NewInmemSnapshotStore()} }

func (b *box) logs(failed func(error)) (cluster.Logs, error) {
	f, err := b.disk.Create("raft/log")
	if err != nil {
		return cluster.Logs{}, err
	}
	return cluster.Logs{
		Log: logstore.NewLog(&stepLog{b.stores.log, f}, failed), Stable: guardedStable{&stepStable{b.stores.log, f}, failed}, Snapshot: b.stores.snapshots,
		Close: func() error { return nil },
	}, nil
}

func step(f disk.File) error {
	_, err := f.Write([]byte{1})
	return errors.Join(err, f.SyncData())
}

type stepLog struct {
	*raft.InmemStore
	f disk.File
}

func (s *stepLog) StoreLogs(l []*raft.Log) error {
	if err := step(s.f); err != nil {
		return err
	}
	return s.InmemStore.StoreLogs(l)
}

func (s *stepLog) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

func (s *stepLog) DeleteRange(a, b uint64) error {
	if err := step(s.f); err != nil {
		return err
	}
	return s.InmemStore.DeleteRange(a, b)
}

type stepStable struct {
	*raft.InmemStore
	f disk.File
}

func (s *stepStable) Set(k, v []byte) error {
	if err := step(s.f); err != nil {
		return err
	}
	return s.InmemStore.Set(k, v)
}

func (s *stepStable) SetUint64(k []byte, v uint64) error {
	if err := step(s.f); err != nil {
		return err
	}
	return s.InmemStore.SetUint64(k, v)
}
