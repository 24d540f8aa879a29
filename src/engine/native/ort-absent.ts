/**
 * ONNX Runtime on platforms that this package has none for, browsers among them: importing it
 * fails, as importing a package that is not installed does.
 */
throw new Error("this platform has no build of it");
