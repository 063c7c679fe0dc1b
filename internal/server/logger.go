package server

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// NewLogger makes the logger that c asks for, over w. It may be used before c has been
// checked: what it does not know is the default.
func NewLogger(w io.Writer, c LogConfig) *slog.Logger {
	level := slog.LevelInfo
	if c.Level != "" {
		level.UnmarshalText([]byte(c.Level)) // unknown: stays info, check tells
	}
	f, isFile := w.(*os.File)
	terminal := isFile && term.IsTerminal(int(f.Fd()))
	options := &slog.HandlerOptions{Level: level}
	switch {
	case c.Format == "json":
		return slog.New(slog.NewJSONHandler(w, options))
	case c.Format == "console", c.Format == "" && terminal:
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !terminal || os.Getenv("NO_COLOR") != ""}))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
