// A page on which everything is wrong: whoever listens must hear all of it. Arguments: none that matter, none, a directory
// of the test's own. Ends well when each fault was found, and names those that were not.
const { createServer } = require('node:http');
const { test } = require('./browser.cjs');

const PAGE = `<!doctype html><html><head><title>x</title></head><body>
<script>alert('never')</script>
<script src="/bad.js"></script>
<img src="/missing.png" onerror="never()" alt="">
<img src="http://elsewhere.invalid/x.png" alt="">
<p style="color:#ccc;background:#fff">Too pale to be read by anybody.</p>
<a href="javascript:void 0">A link that runs something</a>
<div style="width:2000px">Wide</div>
<input>
</body></html>`;
const SCRIPT = `console.error('told so'); confirm('sure?'); window.harmed = true; setTimeout(() => { throw new Error('thrown'); });`;
const HEARD = [
  /the console says: told so/,
  /a script failed: Error: thrown/,
  /a dialog opened: sure\?/,
  /the policy was broken: script-src/,
  /404 for GET .*missing\.png/,
  /asked for something elsewhere: http:\/\/elsewhere\.invalid/,
  /elsewhere\.invalid\/x\.png failed/,
  /a customer’s script ran/,
  /an inline script: alert/,
  /IMG has onerror/,
  /a link runs a script/,
  /wider than the window/,
  /color-contrast \(serious\)/,
  /html-has-lang \(serious\)/,
  /label \(critical\)/,
];

const server = createServer((request, response) => {
  const known = { '/': ['text/html', PAGE], '/bad.js': ['text/javascript', SCRIPT] }[request.url];
  const policy = { 'content-security-policy': "default-src 'self'; style-src 'unsafe-inline'; img-src *" };
  response.writeHead(known ? 200 : 404, { 'content-type': known?.[0] ?? 'text/plain', ...policy });
  response.end(known?.[1] ?? '');
});

server.listen(0, '127.0.0.1', async () => {
  process.argv[2] = `http://127.0.0.1:${server.address().port}`;
  await test(async (visit) => {
    await visit.open('/');
    await visit.harmless();
    await visit.fits();
    await visit.accessible();
    const missed = HEARD.filter((one) => !visit.findings.some((finding) => one.test(finding)));
    console.log(visit.findings.join('\n'));
    visit.findings = missed.map((one) => `not heard: ${one}`);
  });
  server.close();
});
