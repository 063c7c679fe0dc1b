package line

// Digest is for the table of what is shown of messages.
var Digest = digest
