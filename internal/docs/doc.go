// Package docs keeps what is written about skerry true where a machine can
// tell: its tests follow the links between the documents and look up the make
// targets that they name.
package docs
