// Ends with one sentence where this Node cannot run TypeScript, before it meets any. The scripts of
// package.json preload this file: it is plain JavaScript that every Node reads.
'use strict';

if (!process.features.typescript) {
  process.stderr.write(
    'freshet: Node ' +
      process.versions.node +
      ' cannot run this checkout, which brings its own Node 24: npm ci, without --ignore-scripts, ' +
      'installs it; a Node 24 or newer of your own works too.\n',
  );
  process.exit(2);
}
