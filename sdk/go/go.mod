module steward

go 1.24
