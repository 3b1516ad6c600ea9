package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// fleet is many clients, of WebSockets or of events, read by one thread, so that they take as
// little as possible of the cores that they share with the service.
type fleet struct {
	epoll   int
	addr    unix.SockaddrInet4
	clients []*client
	byFD    map[int32]*client
	buf     []byte
	events  bool // the clients want events of the load's topic

	opened, subscribed, messages atomic.Int64
	lost                         atomic.Int64 // connections that ended
	moved                        chan struct{}
	stopping                     atomic.Bool
	done                         sync.WaitGroup

	mu        sync.Mutex
	latencies []time.Duration // of sampled clients
	sampling  bool
}

// client is one connection. What it asks for is sent once the handshake is done.
type client struct {
	fd      int
	ask     string // subscribe request; empty: none
	sampled bool
	scan    scanner
	got     int64
}

const (
	upgrade = "GET /v1/ws HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: msgq.v1\r\n\r\n"
	// getEvents is of HTTP/1.0, whose answer is not cut into chunks.
	getEvents = "GET /v1/events?topics=" + topic + " HTTP/1.0\r\nHost: bench\r\n\r\n"
)

func newFleet(addr string) (*fleet, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	f := &fleet{
		epoll: epoll, addr: unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}, byFD: make(map[int32]*client),
		buf: make([]byte, 512<<10), moved: make(chan struct{}, 1),
	}
	return f, nil
}

// start reads until stop.
func (f *fleet) start() { f.done.Go(f.loop) }

// add opens connections one after the other; request makes what the i-th one asks for.
// Every 20th client's latencies are taken. A receive buffer of 0 is the system's.
func (f *fleet) add(n, receiveBuffer int, request func(i int) string) error {
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("socket: %w", err)
		}
		if receiveBuffer > 0 {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
		if err := unix.Connect(fd, &f.addr); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		_ = unix.SetNonblock(fd, true)
		c := &client{fd: fd, ask: request(i), sampled: i%20 == 0, scan: scanner{events: f.events}}
		f.clients = append(f.clients, c)
		handshake := upgrade
		if f.events {
			handshake = getEvents
		}
		if _, err := unix.Write(fd, []byte(handshake)); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
	}
	for _, c := range f.clients[len(f.clients)-n:] {
		f.byFD[int32(c.fd)] = c
	}
	for _, c := range f.clients[len(f.clients)-n:] {
		f.watch(c)
	}
	return nil
}

func (f *fleet) watch(c *client) {
	_ = unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
}

// stall has the clients read no more.
func (f *fleet) stall() {
	for _, c := range f.clients {
		_ = unix.EpollCtl(f.epoll, unix.EPOLL_CTL_DEL, c.fd, nil)
	}
}

func (f *fleet) loop() {
	events := make([]unix.EpollEvent, 512)
	for !f.stopping.Load() {
		n, err := unix.EpollWait(f.epoll, events, 20)
		if err != nil {
			continue // EINTR
		}
		for _, e := range events[:n] {
			f.read(f.byFD[e.Fd])
		}
		select {
		case f.moved <- struct{}{}:
		default:
		}
	}
}

func (f *fleet) read(c *client) {
	n, err := unix.Read(c.fd, f.buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if n <= 0 || err != nil {
		f.lost.Add(1)
		_ = unix.EpollCtl(f.epoll, unix.EPOLL_CTL_DEL, c.fd, nil)
		return
	}
	seen := c.scan.feed(f.buf[:n])
	if seen.upgraded {
		f.opened.Add(1)
		if c.ask != "" {
			c.send(1, c.ask)
		}
	}
	f.subscribed.Add(int64(seen.subscribed))
	if seen.pings > 0 {
		c.send(10, "")
	}
	f.messages.Add(int64(seen.messages))
	c.got += int64(seen.messages)
	if c.sampled {
		f.sample(f.buf[:n])
	}
}

// send writes a frame, masked with zeros.
func (c *client) send(opcode byte, payload string) {
	frame := []byte{0x80 | opcode}
	if len(payload) < 126 {
		frame = append(frame, 0x80|byte(len(payload)))
	} else {
		frame = append(frame, 0x80|126)
		frame = binary.BigEndian.AppendUint16(frame, uint16(len(payload)))
	}
	frame = append(frame, 0, 0, 0, 0)
	_, _ = unix.Write(c.fd, append(frame, payload...))
}

// wait waits until have says so.
func (f *fleet) wait(ctx context.Context, what string, have func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !have() {
		select {
		case <-f.moved:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w (%d open, %d subscribed, %d messages, %d lost)",
				what, ctx.Err(), f.opened.Load(), f.subscribed.Load(), f.messages.Load(), f.lost.Load())
		}
	}
	return nil
}

func (f *fleet) waitSubscribed(ctx context.Context, n int) error {
	return f.wait(ctx, "subscribing", func() bool { return f.subscribed.Load() >= int64(n) })
}

func (f *fleet) waitMessages(ctx context.Context, n int64) error {
	return f.wait(ctx, fmt.Sprintf("%d messages", n), func() bool { return f.messages.Load() >= n })
}

// stop ends the thread and every connection.
func (f *fleet) stop() {
	f.stopping.Store(true)
	f.done.Wait()
	for _, c := range f.clients {
		_ = unix.Close(c.fd)
	}
	_ = unix.Close(f.epoll)
}
