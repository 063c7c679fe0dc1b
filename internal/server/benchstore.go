package server

import (
	"context"
	"path/filepath"

	"github.com/anser-im/anser/internal/store/storebench"
)

// BenchStoreOptions say what BenchStore does.
type BenchStoreOptions = storebench.Options

// BenchStoreResult is what BenchStore found.
type BenchStoreResult = storebench.Result

// BenchStore drives the embedded store alone, without a server around it, in the data
// directory data, which must hold no store yet. It leaves the store there, as a server
// would open it; o.Dir is set here.
func BenchStore(ctx context.Context, data string, o BenchStoreOptions) (BenchStoreResult, error) {
	o.Dir = filepath.Join(data, storeDir)
	return storebench.Run(ctx, o)
}
