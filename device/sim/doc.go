// Package sim is a crowd of sensors that do not exist. Seeded, they measure
// believable values (daily curves, drift, noise, the fixed resolution of a real
// sensor) and behave as devices do: some clocks drift, are set to the wrong
// zone, twenty years back, or missing; some readings are posted alone, some in
// packs; radios drop out and come back with what was kept meanwhile; answers
// get lost and messages come twice.
//
// What each device sent, and what was answered, stands in a device.Ledger. Every
// reading is unique: by the time of its clock, which never stands still, or as a
// counter's value where there is no clock.
package sim
