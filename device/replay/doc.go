// Package replay feeds a CSV file of real readings to a site, as if its devices
// posted them now, at a chosen speed and with the times of the file.
//
// A file is wide (a time column, then one resource a column, all of one device)
// or long (columns time, device, resource, value and perhaps unit, in any
// order); the header tells which, and a file without a header is told by its
// first row. Commas, semicolons and tabs separate; a record is one line. A row
// that cannot be read is reported with its line number, counted and skipped; an
// empty cell (or NA, NaN, null) is no reading.
//
// Readings of one device are posted in the order of the file. Those that fall
// due while its last message is under way travel together in the next one.
package replay
