//go:build tools

// Package tools pins the commands the lab builds from this module.
package tools

import (
	_ "github.com/regclient/regclient/cmd/regsync"
)
