package sim

// Hooks break one part of the world on purpose. Each stands for a mistake that somebody could make in
// the real code; the checkers must find it (TestPlantedFaults). All false is the true world.
type Hooks struct {
	ActBeforeRecord bool // I1: the strike moves when the record is queued, not when it is durable
	IngestTwice     bool // I2: a record that comes again is logged again
	SkipChain       bool // I3: the server takes records over a gap
	AckEarly        bool // I4: the ack is sent before the commit
	NoPolicyPush    bool // I5: a revocation reaches neither leases nor authority
	FrozenAge       bool // I5: the policy's age is not counted
	UnlockOnLink    bool // I6: a door is released when its link comes back
	CommandTwice    bool // I7: a command that arrives twice acts twice
	CommandLate     bool // I7: expiry is not looked at
	EditLeaf        bool // I8: a leaf is changed after it was written
	NoPolicyGrants  bool // I9: a door without a policy lets in
	LockInFire      bool // I9: the lock is driven secure during a fire release
	BlockExit       bool // I9: an exit reader refuses like an entry
	SilentServer    bool // I10: silences are not stated
	ForgetOnRestart bool // I2: unacknowledged records are put aside at a restart
	NoRollbackCheck bool // I3: findings of rollbacks are swallowed
	NoSuccession    bool // I8: a restored server goes on with the old log and its key
	NoVersionJump   bool // I5: a restored server goes on with the policy versions of its backup
	OldWatermarks   bool // I4: a restored server says that it has what the lost one had
}
