// What a page does with the RudderStack library for browsers. Where everything is stands in the page's address.
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled';

const place = new URLSearchParams(location.search);
const host = place.get('host');
const done = (says) => fetch('/done', { method: 'POST', body: says });

const analytics = new RudderAnalytics();
analytics.ready(() => {
  analytics.track('Visited Before', { n: 0 });
  analytics.page('Docs', 'Home', { dark: true });
  analytics.identify('ada', { email: 'ada@example.com' }, { context: { groupId: 'acme' } });
  analytics.group('acme', { name: 'Acme' });
  for (let n = 0; n < 5; n += 1) {
    analytics.track('Order Completed', { n, emoji: '😀' });
  }
  done('sent');
});
analytics.load(place.get('key'), host, { configUrl: host, queueOptions: { minRetryDelay: 200 } });
