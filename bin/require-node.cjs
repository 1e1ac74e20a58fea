// Ends with one sentence where this Node cannot run the program, before it meets any other file.
// The scripts of a checkout preload this file, and the entry of an installed package imports it:
// it is plain JavaScript that every Node reads.
'use strict';

const { existsSync } = require('node:fs');

/** The oldest Node that the dependencies promise to run on, as `engines` says: major, minor. */
const OLDEST = [22, 19];

const version = process.versions.node;
const [major, minor] = version.split('.').map(Number);
const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
const isCheckout = existsSync(`${__dirname}/freshet.ts`);

if (isCheckout && !process.features.typescript)
  refuse(
    `Node ${version} cannot run this checkout, which brings its own Node 24: npm ci, without ` +
      '--ignore-scripts, installs it; a Node 24 or newer of your own works too.',
  );
if (isOld)
  refuse(
    `Freshet needs Node ${OLDEST.join('.')} or newer; this is Node ${version} (${process.execPath}).` +
      (isCheckout ? ' npm run freshet -- <command> brings one along.' : ' Install a newer one.'),
  );

function refuse(message) {
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: { message } })}\n`);
  process.stderr.write(`freshet: ${message}\n`);
  process.exit(2);
}
