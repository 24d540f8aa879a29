/**
 * Telemetry of ONNX Runtime, switched off. Its builds for Node write a device id and a database of
 * events below the cache folder of the user, and can upload them; the variable must be set before
 * the library is loaded. What the user has set stays.
 *
 * Elsewhere than in Node there is none. Import it before `onnxruntime-node`, and in the main thread before threads that load it: a
 * worker thread's `process.env` is a copy, which native code does not see.
 */
if (typeof process !== "undefined") process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
