//go:build !trial

package cluster

// Trial is the field that the trial command sets.
func (n *Node) Trial() string {
	n.replica.mu.RLock()
	defer n.replica.mu.RUnlock()
	return n.replica.state.Trial()
}
