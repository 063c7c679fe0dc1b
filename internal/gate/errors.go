package gate

import (
	"errors"
	"os"
)

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
