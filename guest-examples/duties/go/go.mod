module duties

go 1.24

require steward v0.0.0

replace steward => ../../../sdk/go
