//go:build ignore

// Makes the reference of the API from the schema: go generate ./internal/gate/httpapi
package main

import (
	"log"
	"os"

	"github.com/anser-im/anser/internal/gate/httpapi/apidoc"
)

func main() {
	schema, err := os.ReadFile("../../../wire/anser.proto")
	if err != nil {
		log.Fatal(err)
	}
	for name, do := range map[string]func([]byte) ([]byte, error){"static/openapi.json": apidoc.OpenAPI, "static/docs.html": apidoc.Page} {
		b, err := do(schema)
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
