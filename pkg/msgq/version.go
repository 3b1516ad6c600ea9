package msgq

// Version is the version of this build. Release builds set it with
// -ldflags "-X github.com/asyncmsglib/msgq/pkg/msgq.Version=v1.2.3".
var Version = "dev"
