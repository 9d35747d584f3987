// Sends the calls with the RudderStack library for Node. Arguments: host, key, file with the calls, gzip or plain.
const RudderAnalytics = require('@rudderstack/rudder-sdk-node');
const { readFileSync } = require('node:fs');

const [dataPlaneUrl, writeKey, file, packing] = process.argv.slice(2);
const analytics = new RudderAnalytics(writeKey, {
  dataPlaneUrl,
  gzip: packing === 'gzip',
  retryCount: 10,
  axiosConfig: { timeout: 30_000 },
  flushAt: 15,
  flushInterval: 100,
});
const sent = [];
for (const { call, repeat = 1, ...fields } of JSON.parse(readFileSync(file, 'utf8'))) {
  for (let n = 0; n < repeat; n += 1) {
    const message = repeat > 1 ? { ...fields, properties: { ...fields.properties, n } } : fields;
    sent.push(new Promise((resolve, reject) => {
      analytics[call](message, (error) => (error ? reject(error) : resolve()));
    }));
  }
}
analytics.flush();
Promise.all(sent).then(() => process.exit(0), (error) => {
  console.error('the library gave up:', error);
  process.exit(1);
});
