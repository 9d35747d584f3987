// Finer points of keys, themes, zones and the live view.
const here = (visit) => {
  const { pathname, search } = new URL(visit.page.url());
  return pathname + search;
};
const text = (visit, selector) => visit.page.$eval(selector, (one) => one.innerText);
const until = (visit, what, holds, ...given) => visit.page.waitForFunction(holds, { timeout: 10_000 }, ...given).catch(() => visit.find(`in vain waited for: ${what}`));
const pause = (millis) => new Promise((done) => { setTimeout(done, millis); });
const asked = (visit, token, method, target, body) => fetch(`${visit.origin}${target}`, {
  method,
  headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
  body: body && JSON.stringify(body),
});
const send = (visit, token, messages) => asked(visit, token, 'POST', '/analytics/v1/batch', messages);
const marked = (visit) => visit.page.$$eval('main tr.at', (all) => all.length);

exports.enterAfterClicks = async (visit) => {
  await visit.open('/accounts');
  await visit.page.click('h1');
  await visit.page.keyboard.press('j');
  const wanted = await visit.page.$eval('main tr.at', (row) => row.dataset.href);
  await visit.follow(() => visit.page.keyboard.press('Enter'));
  visit.check(here(visit) === wanted, `after a click on the page Enter leads to ${here(visit)}`);
  await visit.open('/accounts');
  await visit.page.keyboard.press('j');
  await visit.page.focus('main thead a');
  await visit.follow(() => visit.page.keyboard.press('Enter'));
  visit.check(here(visit).startsWith('/accounts?'), `Enter on a link leads to ${here(visit)}`);
};

exports.keysOfOneLetter = async (visit) => {
  await visit.open('/accounts');
  await visit.page.keyboard.press('?');
  await visit.page.keyboard.press('j');
  visit.check((await marked(visit)) === 0, 'j marks a row behind the help');
  await visit.page.keyboard.press('Escape');
  await visit.page.keyboard.press('g');
  await pause(1_600);
  await visit.page.keyboard.press('u');
  await visit.page.keyboard.press('j');
  visit.check(here(visit) === '/accounts' && (await marked(visit)) === 1, 'g waits for ever');
  await visit.page.keyboard.press('g');
  await visit.page.keyboard.press('k');
  await visit.page.keyboard.press('j');
  await visit.page.keyboard.press('j');
  visit.check((await visit.page.$eval('main tr.at', (row) => row.rowIndex)) === 3, 'g swallows the key after it');
  await visit.page.keyboard.press('g');
  await visit.page.keyboard.press('Shift');
  await visit.follow(() => visit.page.keyboard.press('u'));
  visit.check(here(visit) === '/users', `g, Shift, u leads to ${here(visit)}`);
  // The switch, which holds on other pages as well.
  await visit.page.click('[data-keys]');
  await visit.page.click('#keys-single');
  await visit.accessible();
  await visit.shoot('keys');
  await visit.page.click('dialog[open] [data-close]');
  await visit.open('/accounts');
  for (const key of ['j', '?', 'g', 'u', '/']) await visit.page.keyboard.press(key);
  visit.check((await marked(visit)) === 0 && here(visit) === '/accounts' && !(await visit.page.$('dialog[open]')), 'keys act that were switched off');
  await visit.page.click('[data-keys]');
  await visit.page.click('#keys-single');
  await visit.page.click('dialog[open] [data-close]');
  await visit.page.keyboard.press('j');
  visit.check((await marked(visit)) === 1, 'keys do not act that were switched on again');
};

exports.escape = async (visit) => {
  await visit.open('/accounts');
  for (const [at, field] of [[0, '#kept-name'], [1, '[name=column]'], [2, '[name="f.value"]']]) {
    const drop = (await visit.page.$$('main details.drop'))[at];
    await (await drop.$('summary')).click();
    await visit.page.focus(field);
    await visit.page.keyboard.press('Escape');
    visit.check(!(await drop.evaluate((one) => one.open)), `Escape leaves what unfolds open: ${at}`);
    visit.check(await drop.evaluate((one) => one.querySelector('summary') === document.activeElement), `Escape loses the focus: ${at}`);
  }
};

// What stands on a page stays when its colours change.
exports.themeInPlace = async (visit) => {
  await visit.open('/sql');
  await visit.fill('textarea', 'select 2024 as year');
  await visit.follow(() => visit.page.click('form button.primary'));
  const shown = () => visit.page.evaluate(() => document.documentElement.dataset.theme);
  for (const theme of ['light', 'dark', 'system']) {
    await visit.page.click('form[action="/theme"] button');
    await until(visit, `the theme ${theme}`, (wanted) => document.documentElement.dataset.theme === wanted, theme);
    visit.check((await text(visit, 'main table')).includes('2024'), 'another theme takes the answer away');
  }
  await visit.page.click('form[action="/theme"] button');
  await until(visit, 'the theme', () => document.documentElement.dataset.theme === 'light');
  await visit.open('/accounts');
  visit.check((await shown()) === 'light', 'the theme is not kept');
  for (const theme of ['dark', 'system']) {
    await visit.page.click('form[action="/theme"] button');
    await until(visit, `the theme ${theme}`, (wanted) => document.documentElement.dataset.theme === wanted, theme);
  }
};

// Days and clocks of a timeline belong together, wherever it is read.
exports.zones = async (visit, token) => {
  const track = (at, event) => ({ type: 'track', event, userId: 'of-zones', accountId: 'a1000', timestamp: at, messageId: `${event} ${at}` });
  await send(visit, token, [
    track('2020-06-01T12:01:07Z', 'later'),
    track('2020-06-01T11:59:07Z', 'earlier'),
    track('2020-07-01T12:01:07Z', 'both'),
    track('2020-07-01T11:59:07Z', 'both'),
  ]);
  const other = await visit.other();
  await other.page.emulateTimezone('Pacific/Auckland');
  await other.signIn(token, '/users/of-zones');
  const days = await other.page.$$eval('.days > li', (all) => all.map((one) => one.textContent.replaceAll(/\s+/g, ' ')));
  const of = (word) => days.find((day) => day.includes(word)) ?? '';
  other.check(/Jun 2,|2 Jun/.test(of('later')) && of('later').includes('00:01:07'), `days are ${days}`);
  other.check(/Jun 1,|1 Jun/.test(of('earlier')) && of('earlier').includes('23:59:07'), `days are ${days}`);
  other.check(/Jul 2,.*Jul 1,|2 Jul.*1 Jul/.test(of('both')), `of a fold over midnight it is told: ${of('both')}`);
  other.check((await text(other, 'main')).includes('Days and times are in your zone'), 'which zone it is, is not told');
  await other.page.setJavaScriptEnabled(false);
  await other.open('/users/of-zones');
  const plain = await text(other, '.days');
  other.check(plain.includes('Mon 1 Jun 2020') && plain.includes('12:01:07'), `without a script it is ${plain}`);
  other.check((await text(other, 'main')).includes('Days and times are in UTC'), 'that it is UTC is not told');
};

exports.navigationOnAPhone = async (visit) => {
  await visit.look('light', 390);
  await visit.open('/admin/workspace');
  const { left, right } = await visit.page.$eval('.nav [aria-current]', (one) => one.getBoundingClientRect().toJSON());
  visit.check(left >= 0 && right <= 390, `the page that is open stands at ${left} to ${right} of the navigation`);
  await visit.look('light', 1280);
};

// What is looked for stays, however much else comes; what is lost is told.
exports.liveFilters = async (visit, token) => {
  const rows = () => visit.page.$$eval('#live tbody tr', (all) => all.map((one) => one.innerText));
  let sent = 0;
  const tracks = (many) => send(visit, token, Array.from({ length: many }, () => ({ type: 'track', event: 'flood', userId: 'u1000-0', messageId: `flood-${sent += 1}` })));
  const flood = async (batches) => {
    // No more is told in a second than two hundred.
    for (let batch = 0; batch < batches; batch += 1) {
      await tracks(100);
      await pause(1_050);
    }
  };
  await visit.open('/live');
  await until(visit, 'a stream', () => document.querySelector('#live-state').textContent === 'Listening');
  await visit.page.select('#live-outcome', 'refused');
  await send(visit, token, [{ type: 'needle', userId: 'sought', messageId: 'needle-1' }]);
  await until(visit, 'what was refused', () => document.querySelectorAll('#live tbody tr').length === 1);
  await flood(3);
  await send(visit, token, [{ type: 'needle', userId: 'sought', messageId: 'needle-2' }]);
  await until(visit, 'what was refused, both', () => document.querySelectorAll('#live tbody tr').length === 2);
  visit.check((await rows()).every((row) => row.includes('needle')), `of an unknown type it is shown: ${await rows()}`);
  await visit.page.select('#live-type', 'other');
  visit.check((await rows()).length === 2, 'what has another type is not found by that');
  await visit.page.type('#live-text', 'nowhere to be found');
  visit.check(await visit.page.evaluate(() => document.querySelector('#live').hidden && !document.querySelector('#live-none').hidden), 'that nothing matches is not told');
  await visit.accessible();
  await visit.page.$eval('#live-text', (one) => { one.value = ''; });
  await visit.page.select('#live-type', '');
  await visit.page.select('#live-outcome', '');
  visit.check((await rows()).length === 200, `of everything ${(await rows()).length} rows are left`);
  await visit.page.click('#live-pause');
  await flood(3);
  await until(visit, 'what was lost in a pause', () => /Paused; 200 waiting, 1\d\d before them not kept/.test(document.querySelector('#live-state').textContent));
  await visit.page.click('#live-pause');
  visit.check((await text(visit, '#live-missed')).includes('came while this was paused'), 'what was lost is not told afterwards');
};

exports.liveRows = async (visit, token) => {
  const one = (n) => ({ type: 'track', event: 'a row', userId: 'u1000-0', messageId: `row-${n}` });
  await visit.open('/live');
  await until(visit, 'a stream', () => document.querySelector('#live-state').textContent === 'Listening');
  await send(visit, token, [one(1), one(2), one(3)]);
  await until(visit, 'three rows', () => document.querySelectorAll('#live tbody tr').length === 3);
  await visit.page.keyboard.press('j');
  await visit.page.keyboard.press('j');
  await send(visit, token, [one(4), one(5), one(6)]);
  await until(visit, 'six rows', () => document.querySelectorAll('#live tbody tr').length === 6);
  await visit.page.keyboard.press('j');
  const at = await visit.page.$$eval('#live tbody tr', (all) => all.flatMap((row, nth) => (row.classList.contains('at') ? [nth] : [])).join());
  visit.check(at === '5', `the rows that are marked are ${at}`);
  await visit.page.keyboard.press('Enter');
  visit.check((await text(visit, 'dialog[open]')).includes('row-1'), 'Enter opens another message');
  await visit.page.keyboard.press('Escape');
  await visit.page.focus('#live tbody button');
  await visit.page.keyboard.press('Space');
  visit.check((await text(visit, 'dialog[open]')).includes('row-6'), 'Space opens no message');
  await visit.accessible();
  await visit.shoot('a live message');
  await visit.page.keyboard.press('Escape');
};

// Who may not watch any more is told so, and how to go on.
exports.liveSignedOut = async (visit, token) => {
  const made = await (await asked(visit, token, 'POST', '/admin/v1/keys', { name: 'watches', scopes: ['read'] })).json();
  const other = await visit.other();
  await other.signIn(made.token, '/live');
  await until(other, 'a stream', () => document.querySelector('#live-state').textContent === 'Listening');
  other.expected = (url) => url.endsWith('/live/events');
  await asked(visit, token, 'DELETE', `/admin/v1/keys/${made.id}`);
  await until(other, 'that nobody is signed in', () => document.querySelector('#live-state').textContent === 'Signed out. Sign in again');
  const next = await other.page.$eval('#live-state a', (link) => link.getAttribute('href'));
  other.check(next === '/signin?next=%2Flive', `signing in again leads to ${next}`);
  other.expected = () => false;
};
