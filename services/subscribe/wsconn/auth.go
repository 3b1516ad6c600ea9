package wsconn

import (
	"net/http"
	"sync"
	"time"

	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// authTimeout is how long a client has for its first token.
const authTimeout = 10 * time.Second

// grantOf is what the handshake's token allows, nil where it has none: then it comes in the first frame.
func (h *Handler) grantOf(r *http.Request) (*auth.Grant, error) {
	if _, ok := auth.Token(r); !ok && h.opts.Auth.Required() {
		return nil, nil
	}
	grant, err := h.opts.Auth.Of(r)
	if err == nil && grant.Useless() {
		err = errUseless
	}
	return grant, err
}

var errUseless = problem.New(http.StatusForbidden, "forbidden", "The token allows nothing here.")

// authenticate takes a token, the first or one that renews it. A bad one ends the connection, not one that cannot be checked now.
func (c *conn) authenticate(r request) error {
	if !c.h.opts.Auth.Required() { // a token is as good as none
		c.ok(r.Ref)
		return nil
	}
	grant, err := c.h.opts.Auth.Grant(r.Token)
	if err != nil {
		c.fail(r.Ref, "", err)
		if !coded(err).retryable {
			c.close(closeUnauthenticated, err.Error())
		}
		return nil
	}
	if grant.Useless() {
		c.fail(r.Ref, "", errUseless)
		c.close(closeForbidden, errUseless.Error())
		return nil
	}
	if c.grant.Swap(grant) == nil {
		c.welcome()
	}
	c.ok(r.Ref)
	c.revoke(grant)
	return nil
}

// revoke ends the subscriptions that a new token does not allow, side by side: one may take its time.
func (c *conn) revoke(g *auth.Grant) {
	var stopping sync.WaitGroup
	for id, s := range c.subs {
		if s.allowed(g) {
			continue
		}
		c.forget(id)
		stopping.Go(func() {
			s.stop()
			c.send(unsubscribed{Type: "unsubscribed", ID: id, Code: "forbidden"})
		})
	}
	stopping.Wait()
}

func (s *liveSub) allowed(g *auth.Grant) bool {
	return g.Filter == s.forced && g.Subscribes(s.request.Topics...) == nil
}

func (s *queueSub) allowed(g *auth.Grant) bool {
	q := s.member.Queue()
	return g.Filter == q.Forced && g.Works(q.Name) == nil
}

// checkGrant closes a connection whose token is over, or has not come.
func (c *conn) checkGrant(now time.Time) {
	switch grant := c.grant.Load(); {
	case grant == nil && now.Sub(c.since) >= authTimeout:
		c.close(closeNoAuth, "no token came in time")
	case grant != nil && grant.Expired(now):
		c.close(closeUnauthenticated, "the token has expired")
	}
}
