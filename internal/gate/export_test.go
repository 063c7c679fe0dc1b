package gate

// ReadProxy is readProxy, for its fuzz target.
var ReadProxy = readProxy
