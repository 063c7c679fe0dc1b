package httpapi

import "net/http"

// state is the body of a health answer.
type state struct {
	Status  string `json:"status"` // ok, or failing
	Message string `json:"message,omitempty"`
}

func (h *handler) healthz(w http.ResponseWriter, _ *http.Request) {
	s := h.Health()
	answerHealth(w, s.Alive, s.Why)
}

func (h *handler) readyz(w http.ResponseWriter, _ *http.Request) {
	s := h.Health()
	answerHealth(w, s.Alive && s.Ready, s.Why)
}

func answerHealth(w http.ResponseWriter, ok bool, why string) {
	if ok {
		WriteJSON(w, http.StatusOK, state{Status: "ok"})
		return
	}
	WriteJSON(w, http.StatusServiceUnavailable, state{Status: "failing", Message: why})
}
