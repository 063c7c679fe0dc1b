package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
)

// grant is the answer to a login and a refresh.
type grant struct {
	User             im.UserID `json:"user"`
	Token            string    `json:"token"`
	ExpiresIn        int64     `json:"expires_in"` // seconds
	RefreshToken     string    `json:"refresh_token"`
	RefreshExpiresIn int64     `json:"refresh_expires_in"` // seconds
}

func grantOf(g auth.Grant) grant {
	return grant{
		User: g.User, Token: g.Token, ExpiresIn: int64(auth.TokenLife / time.Second),
		RefreshToken: g.Refresh, RefreshExpiresIn: int64(auth.RefreshLife / time.Second),
	}
}

// signIn wraps the handlers of tokens and passwords: pages of other sites are kept
// out, and so many at once that they would fill the memory.
func (h *handler) signIn(serve func(http.ResponseWriter, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if o := r.Header.Get("Origin"); o != "" {
			w.Header().Add("Vary", "Origin")
			if !h.Origins(r) {
				WriteError(w, im.Errorf(im.Denied, "pages of this site may not sign in here: add it to origins in the configuration"))
				return
			}
			// Fetch §3.2: no credentials are allowed, for no cookie is ever looked at.
			w.Header().Set("Access-Control-Allow-Origin", o)
			w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "POST")
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if err := holdBody(w, r); err != nil { // before a place is taken: slow bodies keep nobody out
			WriteError(w, err)
			return
		}
		select {
		case h.places <- struct{}{}:
			defer func() { <-h.places }()
		default:
			WriteError(w, im.Errorf(im.Busy, "too many sign in just now: try again").WithRetry(time.Second))
			return
		}
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add((readSeconds + writeSeconds) * time.Second))
		answer, err := serve(w, r)
		if err != nil {
			e := im.AsError(err)
			if e.Kind == im.Internal {
				h.Log.Error("a login could not be answered", "path", r.URL.Path, "error", e.Unwrap())
			} else {
				h.Log.Debug("a login was refused", "path", r.URL.Path, "addr", h.Addr(r), "code", e.Code)
			}
			WriteError(w, e)
			return
		}
		WriteJSON(w, http.StatusOK, answer)
	}
}

// within bounds how long a login may wait for its turn and for the disk.
func within(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), writeSeconds*time.Second)
}

func (h *handler) login(w http.ResponseWriter, r *http.Request) (any, error) {
	var q struct {
		User     im.UserID   `json:"user"`
		Password string      `json:"password"`
		Device   im.DeviceID `json:"device"`
	}
	if err := ReadBody(w, r, &q); err != nil {
		return nil, err
	}
	ctx, cancel := within(r)
	defer cancel()
	g, err := h.Accounts.Login(ctx, auth.LoginRequest{User: q.User, Password: q.Password, Device: q.Device, Addr: h.Addr(r)})
	if err != nil {
		return nil, err
	}
	h.Log.Info("signed in by password", "user", string(g.User), "addr", h.Addr(r))
	return grantOf(g), nil
}

func (h *handler) refresh(w http.ResponseWriter, r *http.Request) (any, error) {
	token, err := refreshToken(w, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(r)
	defer cancel()
	g, err := h.Accounts.Refresh(ctx, token)
	if err != nil {
		return nil, err
	}
	return grantOf(g), nil
}

func (h *handler) logout(w http.ResponseWriter, r *http.Request) (any, error) {
	token, err := refreshToken(w, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(r)
	defer cancel()
	return struct{}{}, h.Accounts.Logout(ctx, token)
}

func refreshToken(w http.ResponseWriter, r *http.Request) (string, error) {
	var q struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := ReadBody(w, r, &q); err != nil {
		return "", err
	}
	if q.RefreshToken == "" {
		return "", im.Errorf(im.Invalid, "the field refresh_token is missing or empty")
	}
	return q.RefreshToken, nil
}
