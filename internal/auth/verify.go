package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/anser-im/anser/internal/im"
)

// MaxToken is the most bytes of a token. A longer one is refused unread.
const MaxToken = 8 << 10

// MinSecret is the fewest bytes of a secret that signs tokens (RFC 7518 §3.2: a key
// of the hash's size or larger).
const MinSecret = 32

// DefaultApp is the app of those who name none.
const DefaultApp = "default"

// Config says whose tokens a Verifier takes. At least one of Secret, Secrets and JWKS
// is needed.
type Config struct {
	App     string            // the app's id, which aud must name; "" = DefaultApp
	Secret  []byte            // HS256 key of tokens without kid; at least MinSecret bytes; nil = such tokens are refused
	Secrets map[string][]byte // more HS256 keys by kid, for rotation; at least MinSecret bytes each
	JWKS    string            // a file, or an https URL (http on loopback only), with public keys; "" = none
	Issuer  string            // iss of tokens signed with keys of JWKS; required with JWKS

	Now    func() time.Time // nil = time.Now
	Client *http.Client     // fetches JWKS; nil = one with a limit of 5 s and without kept connections
	Log    *slog.Logger     // hears of a JWKS that cannot be read; nil = nobody does
}

// A Verifier reads tokens of one app. It is fixed after NewVerifier but for the keys
// of a JWKS, and any goroutine may use it. It runs no goroutine of its own.
type Verifier struct {
	app     string
	issuer  string
	secrets map[string]key // by kid; "" is the one for tokens without
	jwks    *keySource     // nil = none
	parser  *jwt.Parser
}

// A key is good for exactly one algorithm.
type key struct {
	alg    string
	public any  // as golang-jwt wants it: []byte, ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey
	jwks   bool // from the JWKS: iss and aud are required
}

// NewVerifier checks the configuration and reads the JWKS if it is a file. A URL is
// read when the first token asks for it, so that the server starts while the issuer
// is down (nobody can then sign in with its tokens).
//
// Errors: Invalid, with a sentence that says which setting to change.
func NewVerifier(c Config) (*Verifier, error) {
	if c.App == "" {
		c.App = DefaultApp
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	v := &Verifier{app: c.App, issuer: c.Issuer, secrets: map[string]key{}}
	if c.Secret != nil {
		if err := CheckSecret(c.Secret); err != nil {
			return nil, err
		}
		v.secrets[""] = key{alg: "HS256", public: slices.Clone(c.Secret)}
	}
	for kid, s := range c.Secrets {
		if kid == "" {
			return nil, im.Errorf(im.Invalid, "a secret has an empty kid: give it a name, or set it as the app's secret")
		}
		if err := CheckSecret(s); err != nil {
			return nil, err
		}
		v.secrets[kid] = key{alg: "HS256", public: slices.Clone(s)}
	}
	if c.JWKS != "" {
		if c.Issuer == "" {
			return nil, im.Errorf(im.Invalid, "a JWKS is set without an issuer: set the issuer that its tokens name in iss")
		}
		var err error
		if v.jwks, err = newKeySource(c); err != nil {
			return nil, err
		}
	}
	if len(v.secrets) == 0 && v.jwks == nil {
		return nil, im.Errorf(im.Invalid, "the app %q has neither a secret nor a JWKS: nobody could sign in", c.App)
	}
	v.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{"HS256", "EdDSA", "ES256", "RS256"}),
		jwt.WithExpirationRequired(), // the library takes a token without exp otherwise
		jwt.WithIssuedAt(),           // a token of the future would outlive its revocation
		jwt.WithLeeway(Leeway),
		jwt.WithTimeFunc(c.Now),
		jwt.WithStrictDecoding(),
	)
	return v, nil
}

// knownSecrets stand in the manuals of token tools, long enough to pass for secrets.
var knownSecrets = []string{
	"a-string-secret-at-least-256-bits-long",
	"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
	"your-256-bit-secret-your-256-bit-secret",
}

// CheckSecret refuses a secret that can be guessed: shorter than MinSecret bytes, made
// of very few different ones, or known from a manual.
func CheckSecret(s []byte) error {
	if len(s) < MinSecret {
		return im.Errorf(im.Invalid, "the secret is %d bytes long; at least %d are needed: make one with \"openssl rand -base64 32\"", len(s), MinSecret)
	}
	var seen [256]bool
	n := 0
	for _, b := range s {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	if n < 8 || slices.Contains(knownSecrets, string(s)) {
		return im.Errorf(im.Invalid, "the secret can be guessed: make one with \"openssl rand -base64 32\"")
	}
	return nil
}

// Verify reads a token: its form, its signature by the one key it may be signed
// with, its times, audience and issuer, and the shape of what it claims. It may wait
// up to 5 s where the JWKS is a URL and the key is not known, at most once a minute.
// What has been revoked is not looked at: ask a Revoker.
//
// Errors: Unauthenticated, with CodeExpired where it was signed well and its time is over.
func (v *Verifier) Verify(token string) (Claims, error) {
	if err := checkForm(token); err != nil {
		return Claims{}, err
	}
	var p payload
	var k key
	_, err := v.parser.ParseWithClaims(token, &p, func(t *jwt.Token) (any, error) {
		var err error
		if k, err = v.keyFor(t); err != nil {
			return nil, err
		}
		return k.public, nil
	})
	if err != nil {
		return Claims{}, refusal(err)
	}
	if p.iat == nil {
		return Claims{}, badClaim("it does not say when it was issued (iat)")
	}
	if k.jwks && p.iss != v.issuer {
		return Claims{}, badClaim("its issuer (iss) is not the one this server trusts")
	}
	if (k.jwks || p.hasAud) && !slices.Contains(p.aud, v.app) {
		return Claims{}, badClaim("it is for another app (aud)")
	}
	if err := p.check(); err != nil {
		return Claims{}, err
	}
	p.App, p.IssuedAt, p.Expires = v.app, p.iat.Time, p.exp.Time
	return p.Claims, nil
}

// App is the id of the app whose tokens v reads.
func (v *Verifier) App() string { return v.app }

// checkForm refuses what cannot be a token before anything is decoded or allocated:
// RFC 7515 §7.1, three parts of base64url. Go's base64 decoder skips line ends, so
// they are refused here too: one token has one spelling.
func checkForm(token string) error {
	if token == "" {
		return im.Errorf(im.Unauthenticated, "there is no token: get one from your app and send it along")
	}
	if len(token) > MaxToken {
		return im.Errorf(im.Unauthenticated, "the token is longer than %d bytes: get a shorter one from your app", MaxToken)
	}
	dots := 0
	for i := range len(token) {
		switch c := token[i]; {
		case c == '.':
			dots++
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return badToken("it is not written as a JWT")
		}
	}
	if dots != 2 {
		return badToken("it is not written as a JWT")
	}
	return nil
}

var (
	errNoKey = errors.New("auth: no such key")
	errAlg   = errors.New("auth: the key is for another algorithm")
	errCrit  = errors.New("auth: critical header")
)

// keyFor finds the only key the token may be signed with.
func (v *Verifier) keyFor(t *jwt.Token) (key, error) {
	if _, ok := t.Header["crit"]; ok { // RFC 7515 §4.1.11: what is not understood must be refused
		return key{}, errCrit
	}
	kid := ""
	if raw, ok := t.Header["kid"]; ok {
		if kid, ok = raw.(string); !ok || kid == "" {
			return key{}, errNoKey
		}
	}
	k, ok := v.secrets[kid]
	if !ok && kid != "" && v.jwks != nil {
		k, ok = v.jwks.find(kid)
	}
	if !ok {
		return key{}, errNoKey
	}
	if k.alg != t.Method.Alg() {
		return key{}, errAlg
	}
	return k, nil
}

// refusal turns the parser's error into ours. The parser's own text is dropped: it
// may quote what the token holds.
func refusal(err error) error {
	switch {
	case errors.Is(err, errNoKey):
		return badToken("this server does not know the key it is signed with")
	case errors.Is(err, errAlg):
		return badToken("its algorithm is not that of its key")
	case errors.Is(err, errCrit):
		return badToken("it asks for a critical header that is not known here")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return badToken("it is not written as a JWT, or a claim has the wrong type")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return badToken("its algorithm is none of HS256, EdDSA, ES256, RS256")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return badToken("its signature is wrong, or its algorithm none of HS256, EdDSA, ES256, RS256")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return badClaim("it does not say when it ends (exp)")
	case errors.Is(err, jwt.ErrTokenExpired):
		return im.Errorf(im.Unauthenticated, "the token has expired: get a new one from your app and connect again").WithCode(im.CodeExpired)
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return badClaim(fmt.Sprintf("it begins more than %v from now: check the clocks", Leeway))
	}
	return badToken("it cannot be read")
}
