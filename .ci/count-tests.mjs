// Prints "N passed, N failed" from vitest's JSON report; fails when a test failed or none ran.
import { readFileSync } from "node:fs";

const [, , file] = process.argv;
let passed = 0;
let failed = 0;
try {
  const report = JSON.parse(readFileSync(file, "utf8"));
  // A file that could not be loaded has no tests to fail: it counts as one.
  const unloaded = report.testResults.filter(
    (suite) => suite.status === "failed" && suite.assertionResults.length === 0,
  );
  passed = report.numPassedTests;
  failed = report.numFailedTests + unloaded.length;
} catch (error) {
  console.error(`no test report: ${error.message}`);
}
console.log(`${passed} passed, ${failed} failed`);
if (passed === 0 || failed > 0) process.exitCode = 1;
