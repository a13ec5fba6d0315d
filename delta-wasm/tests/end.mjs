// Ends the process after a file's last test. The workers of a test that failed run on, and would
// keep the failure from being reported.

import { after } from "node:test";

after(() => setTimeout(() => process.exit(), 2000).unref());
