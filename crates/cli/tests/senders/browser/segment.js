// What a page does with the Segment library for browsers. Where everything is stands in the page's address.
import { AnalyticsBrowser } from '@segment/analytics-next';

const place = new URLSearchParams(location.search);
const host = place.get('host');
const analytics = AnalyticsBrowser.load(
  { writeKey: place.get('key'), cdnURL: host },
  { retryQueue: true, disableClientPersistence: true },
);
const done = (says) => fetch('/done', { method: 'POST', body: says });

async function main() {
  await analytics.ready();
  await analytics.track('Visited Before', { n: 0 });
  await analytics.page('Docs', 'Home', { dark: true });
  await analytics.identify('ada', { email: 'ada@example.com' }, { context: { groupId: 'acme' } });
  await analytics.group('acme', { name: 'Acme' });
  for (let n = 0; n < 5; n += 1) {
    await analytics.track('Order Completed', { n, emoji: '😀' });
  }
  await analytics.alias('ada');
}

main().then(() => done('sent'), (error) => done(`failed: ${error}`));
