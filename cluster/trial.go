//go:build trial

package cluster

// Trial is the field that the trial command sets (fsm.TrialLevel). No release
// has it.
func (n *Node) Trial() string {
	n.replica.mu.RLock()
	defer n.replica.mu.RUnlock()
	return n.replica.state.Trial()
}
