package limit

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// maxCallers bounds the memory for callers; the one longest not seen is
// forgotten first, and so starts with a full bucket.
const maxCallers = 65_536

// Rate is a token bucket for each caller, which holds what one second gives.
type Rate struct {
	perSecond int
	callers   *lru.Cache[string, *rate.Limiter]
}

// NewRate allows each caller so many messages a second.
func NewRate(perSecond int) (*Rate, error) {
	callers, err := lru.New[string, *rate.Limiter](maxCallers)
	if err != nil {
		return nil, fmt.Errorf("rate limit: %w", err)
	}
	return &Rate{perSecond: perSecond, callers: callers}, nil
}

// Caller is whom a remote address stands for: an IPv6 one for its whole network, of which a host has all.
func Caller(remoteAddr string) string {
	host, _, err := net.SplitHostPort(remoteAddr)
	ip := net.ParseIP(host)
	if err != nil || ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}

// Allow takes one message from the caller's bucket and writes the RateLimit
// headers of draft-ietf-httpapi-ratelimit-headers-10. The error is a 429.
func (r *Rate) Allow(caller string, h http.Header) error {
	bucket := r.bucket(caller)
	allowed := bucket.Allow()
	tokens := bucket.Tokens()
	h.Set("RateLimit-Policy", fmt.Sprintf(`"caller";q=%d;w=1`, r.perSecond))
	wait := max(1, int(math.Ceil((1-tokens)/float64(r.perSecond)))) // seconds
	h.Set("RateLimit", fmt.Sprintf(`"caller";r=%d;t=%d`, max(0, int(tokens)), wait))
	if allowed {
		return nil
	}
	h.Set("Retry-After", strconv.Itoa(wait))
	return problem.New(http.StatusTooManyRequests, "rate_limited", fmt.Sprintf("More than %d messages a second.", r.perSecond))
}

// Charge takes n more from the bucket, below zero if need be: a batch is let in
// whole, and its caller waits until it is paid for.
func (r *Rate) Charge(caller string, n int) {
	bucket, now := r.bucket(caller), time.Now()
	for ; n > 0; n -= r.perSecond {
		bucket.ReserveN(now, min(n, r.perSecond))
	}
}

func (r *Rate) bucket(caller string) *rate.Limiter {
	if bucket, ok := r.callers.Get(caller); ok {
		return bucket
	}
	fresh := rate.NewLimiter(rate.Limit(r.perSecond), r.perSecond)
	if first, ok, _ := r.callers.PeekOrAdd(caller, fresh); ok {
		return first
	}
	return fresh
}
