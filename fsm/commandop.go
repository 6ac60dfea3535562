package fsm

// Batches and frames are proposed as pointers, all others as values.

func (*Batch) Op() Op            { return OpReadings }
func (*FrameCommand) Op() Op     { return OpFrame }
func (Genesis) Op() Op           { return OpGenesis }
func (CutCommand) Op() Op        { return OpCut }
func (SyncedCommand) Op() Op     { return OpSynced }
func (GapCommand) Op() Op        { return OpGap }
func (CreateTaskCommand) Op() Op { return OpCreateTask }
func (CancelTaskCommand) Op() Op { return OpCancelTask }
func (AssignRunCommand) Op() Op  { return OpAssignRun }
func (RenewRunCommand) Op() Op   { return OpRenewRun }
func (AdvanceRunCommand) Op() Op { return OpAdvanceRun }

func (c *Batch) appendBody(b []byte) []byte            { return EncodeBatch(b, c) }
func (c *FrameCommand) appendBody(b []byte) []byte     { return EncodeFrame(b, c) }
func (c Genesis) appendBody(b []byte) []byte           { return appendCBOR(b, c) }
func (c CutCommand) appendBody(b []byte) []byte        { return appendCBOR(b, c) }
func (c SyncedCommand) appendBody(b []byte) []byte     { return appendCBOR(b, c) }
func (c GapCommand) appendBody(b []byte) []byte        { return appendCBOR(b, c) }
func (c CreateTaskCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }
func (c CancelTaskCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }
func (c AssignRunCommand) appendBody(b []byte) []byte  { return appendCBOR(b, c) }
func (c RenewRunCommand) appendBody(b []byte) []byte   { return appendCBOR(b, c) }

// InTerm returns the command stamped with the duty's term.
func (c SyncedCommand) InTerm(term uint64) Command { c.Term = term; return c }

// InTerm returns the command stamped with the duty's term.
func (c GapCommand) InTerm(term uint64) Command { c.Term = term; return c }

// InTerm returns the command stamped with the duty's term.
func (c AssignRunCommand) InTerm(term uint64) Command { c.Term = term; return c }
