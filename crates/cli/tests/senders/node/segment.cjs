// Sends the calls with the Segment library for Node. Arguments: host, key, file with the calls.
const { Analytics } = require('@segment/analytics-node');
const { readFileSync } = require('node:fs');

const [host, writeKey, file] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, maxRetries: 10, httpRequestTimeout: 1500, flushAt: 15 });
analytics.on('error', (error) => {
  console.error('the library gave up:', error);
  process.exitCode = 1;
});
for (const { call, repeat = 1, ...fields } of JSON.parse(readFileSync(file, 'utf8'))) {
  for (let n = 0; n < repeat; n += 1) {
    const message = repeat > 1 ? { ...fields, properties: { ...fields.properties, n } } : fields;
    analytics[call](message);
  }
}
analytics.closeAndFlush({ timeout: 60_000 });
