// Package msgqtest helps to test code that uses msgq, and brokers that msgq is to run on.
//
//   - [NewServer] is a broker in the test's own process, with its data in a temporary folder.
//   - [NewCluster] is three of those that replicate to each other.
//   - [NewProcess] is a broker in a process of its own, which a test can kill, freeze and start again.
//   - [Receive] and [Eventually] wait for what happens, without sleeping.
//   - [Conformance] runs the library's promises against any broker.
package msgqtest
