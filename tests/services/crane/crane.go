//go:build never

// Nothing here is built: this import keeps crane among what go.mod requires.
package crane

import _ "github.com/google/go-containerregistry/cmd/crane"
