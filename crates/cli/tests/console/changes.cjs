// What people ask and change by form, each change asked for once and seen afterwards.
const here = (visit) => {
  const { pathname, search } = new URL(visit.page.url());
  return pathname + search;
};
const text = (visit, selector) => visit.page.$eval(selector, (one) => one.innerText);
// Opens what unfolds, and hands out the form in it.
const unfold = async (visit, label) => {
  const found = await visit.page.evaluateHandle((label) => {
    const drop = [...document.querySelectorAll('details')].find((one) => one.querySelector('summary').innerText.startsWith(label));
    if (drop) drop.open = true;
    return drop;
  }, label);
  visit.check(found.asElement(), `nothing unfolds at ${label}`);
  return found.asElement();
};

exports.asking = async (visit) => {
  const evil = '<img src=x onerror="window.harmed = true">';
  await visit.open('/sql');
  await visit.fill('textarea', `select '${evil}' as "<b>x</b>", event, count(*) as n from events group by 2 order by 3 desc limit 5`);
  await visit.page.keyboard.down('Control');
  await visit.follow(() => visit.page.keyboard.press('Enter'));
  await visit.page.keyboard.up('Control');
  const table = await visit.page.$$eval('main table tbody tr', (all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
  visit.check(table.length === 5 && table.every(([cell]) => cell === evil), `the answer is ${JSON.stringify(table)}`);
  visit.check((await text(visit, 'main thead')).includes('<b>x</b>'), 'a heading is not shown as it is called');
  await visit.harmless();
  await visit.accessible();
  visit.expected = (url) => url.endsWith('/sql');
  await visit.fill('textarea', 'select nothing from nowhere');
  await visit.follow(() => visit.page.click('form button.primary'));
  visit.expected = () => false;
  visit.check((await text(visit, '[role=alert]')).includes('nowhere'), 'nothing says what is wrong with a statement');
  visit.check((await visit.page.$eval('textarea', (one) => one.value)).includes('nowhere'), 'the statement is gone');
};

exports.filtering = async (visit) => {
  await visit.open('/accounts?sortBy=mrr&order=desc');
  const form = await unfold(visit, 'Filter');
  await visit.page.select('select[name="f.key"]', 'plan');
  await visit.fill('[name="f.value"]', 'business');
  const send = await form.$('button');
  await visit.follow(() => send.click());
  const mrr = await visit.page.$$eval('main tbody tr', (all) => all.map((row) => Number(row.cells[2].innerText.replaceAll(/\D/g, ''))));
  visit.check(mrr.length > 0 && mrr.length < 20, `the filter leaves ${mrr.length} accounts`);
  visit.check(mrr.every((one, at) => at === 0 || mrr[at - 1] >= one), `the order is lost: ${mrr}`);
};

// A key that may only read: shown once, good for what it may, and for nothing once it is revoked.
exports.keys = async (visit) => {
  const name = '<script>window.harmed = true</script>';
  await visit.open('/admin/keys');
  await visit.fill('form[action="/admin/keys"] [name=name]', name);
  await visit.page.$$eval('form[action="/admin/keys"] [type=checkbox]', (all) => all.forEach((one) => { one.checked = one.name === 'read'; }));
  await visit.follow(() => visit.page.click('form[action="/admin/keys"] button'));
  const token = (await text(visit, '#token')).trim();
  visit.check(/^mk_\S{16,}$/.test(token), `the token is ${token.length} letters`);
  await visit.harmless();
  await visit.accessible();
  await visit.open('/admin/keys');
  visit.check(!(await visit.page.content()).includes(token), 'the token is shown again');
  visit.check((await text(visit, 'main table')).includes(name), 'the key is not listed by its name');

  const other = await visit.other();
  await other.signIn(token, '/accounts');
  other.check(await other.page.$('main tbody tr'), 'a key that may read sees nothing');
  other.check(!(await other.page.$('nav a[href^="/admin/keys"]')), 'a key that may only read is led to the keys');
  other.expected = (url) => url.endsWith('/admin/keys');
  const refused = await other.open('/admin/keys');
  other.check(refused.status() === 403, `a key that may only read is answered with ${refused.status()} at the keys`);
  await other.accessible();
  await other.open('/accounts/a1000');
  other.check(!(await other.page.$('form[action$="/delete"]')), 'a key that may only read is offered to delete');

  const revoke = async (answer) => {
    const button = await visit.page.evaluateHandle((name) => [...document.querySelectorAll('main tr')].find((row) => row.innerText.includes(name)).querySelector('button'), name);
    visit.answer = answer;
    return button.asElement();
  };
  await (await revoke(false)).click();
  await other.open('/users');
  other.check(here(other) === '/users', 'a key is revoked by saying no');
  const button = await revoke(true);
  await visit.follow(() => button.click());
  visit.check((await text(visit, 'main table')).includes('revoked'), 'the key is not shown as revoked');
  await other.open('/users');
  other.check(here(other).startsWith('/signin'), 'a session outlives its key');
};

// A member who gets a password, changes it, and is taken off the team.
exports.members = async (visit) => {
  const [email, first, second] = ['kofi@fieldnote.example', 'the first of two words', 'the second of two words'];
  const inRow = async (selector) => {
    const row = await visit.page.evaluateHandle((email) => [...document.querySelectorAll('main tbody tr')].find((one) => one.innerText.includes(email)), email);
    return row.asElement().$(selector);
  };
  await visit.open('/admin/team');
  await (await inRow('summary')).click();
  await (await inRow('[name=password]')).type(first);
  await visit.accessible();
  const set = await inRow('form[action$="/password"] button');
  await visit.follow(() => set.click());
  visit.check(!(await visit.page.content()).includes(first), 'a password stands in the page');

  const [one, two] = [await visit.other(), await visit.other()];
  one.expected = (url) => url.endsWith('/signin');
  await one.signIn('another password', '/accounts', email);
  one.check(await one.page.$('[role=alert]'), 'a wrong password is not told');
  one.expected = () => false;
  for (const other of [one, two]) await other.signIn(first, '/accounts', email);
  one.check(here(one) === '/accounts' && !(await one.page.$('nav a[href^="/admin/keys"]')), `a member who may read is at ${here(one)}`);
  const change = async (old, next) => {
    await one.open('/password');
    await one.page.type('[name=old]', old);
    await one.page.type('[name=new]', next);
    await one.follow(() => one.page.click('form[action="/password"] button'));
  };
  one.expected = (url) => url.endsWith('/password');
  await change('another password', second);
  one.check(await one.page.$('[role=alert]'), 'a wrong password changes the password');
  one.expected = () => false;
  await one.open('/password');
  await one.accessible();
  await change(first, second);
  await one.open('/users');
  one.check(here(one) === '/users', 'who changes a password is signed out by it');
  await two.open('/users');
  two.check(here(two).startsWith('/signin'), 'a session outlives the password it began with');

  await visit.open('/admin/team');
  visit.answer = true;
  const remove = await inRow('form[action$="/remove"] button');
  await visit.follow(() => remove.click());
  visit.check(!(await text(visit, 'main')).includes(email), 'who was taken off the team is still there');
  await one.open('/users');
  one.check(here(one).startsWith('/signin'), 'who was taken off the team is still signed in');
};

const send = (visit, token, messages) => fetch(`${visit.origin}/analytics/v1/batch`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
  body: JSON.stringify(messages),
});
const until = (visit, what, holds, ...given) => visit.page.waitForFunction(holds, { timeout: 10_000 }, ...given).catch(() => visit.find(`in vain waited for: ${what}`));

// Messages are seen as they arrive, whatever they are called, and only those that are looked for.
exports.watching = async (visit, token) => {
  const event = '<b onclick="window.harmed = true">alive</b>';
  const good = (n) => ({ type: 'track', event, userId: 'u1000-0', messageId: `alive-${n}`, properties: { n } });
  await visit.open('/live');
  await until(visit, 'a stream', () => document.querySelector('#live-state').textContent === 'Listening');
  await send(visit, token, [good(1), { type: 'user', userId: 'alone', messageId: 'alone-1' }]);
  await send(visit, token, [good(1)]);
  const shown = () => visit.page.$$eval('#live tbody tr', (all) => all.filter((one) => !one.hidden).map((one) => one.innerText));
  await until(visit, 'three messages', () => document.querySelectorAll('#live tbody tr').length === 3);
  const all = await shown();
  for (const outcome of ['stored', 'duplicate', 'refused']) {
    visit.check(all.filter((row) => row.includes(outcome)).length === 1, `what is ${outcome} is not among ${JSON.stringify(all)}`);
  }
  visit.check(all.some((row) => row.includes(event)), 'an event is not shown as it is called');
  await visit.harmless();
  await visit.accessible();
  await visit.page.select('#live-outcome', 'refused');
  visit.check((await shown()).length === 1, 'the outcome that is chosen is not the only one');
  await visit.page.select('#live-outcome', '');
  await visit.page.click('#live-pause');
  await send(visit, token, [good(2)]);
  await until(visit, 'a message that waits', () => document.querySelector('#live-state').textContent.includes('1 waiting'));
  visit.check((await shown()).length === 3, 'messages come while it pauses');
  await visit.page.click('#live-pause');
  await until(visit, 'the message that waited', () => document.querySelectorAll('#live tbody tr').length === 4);
  await visit.page.click('#live tbody tr');
  visit.check((await text(visit, 'dialog[open]')).includes('alive-2'), 'a row does not open its message');
  await visit.accessible();
  await visit.page.keyboard.press('Escape');
};

// What was refused is corrected and stored, or dropped.
exports.mending = async (visit) => {
  await visit.open('/refused');
  const group = async (code) => (await visit.page.$$eval('main tbody a', (all) => all.map((one) => one.getAttribute('href')))).find((href) => href.includes(code));
  const orphans = await group('user_needs_parent');
  const deep = await group('too_deep');
  visit.check(orphans && deep, 'the groups are not told apart');
  await visit.open(orphans);
  const count = () => visit.page.$$eval('main tbody tr', (all) => all.length);
  const before = await count();
  const one = await visit.page.$$eval('main tbody tr', (all) => all.find((row) => row.innerText.includes('guest-10')).querySelector('a').getAttribute('href'));
  visit.expected = (url) => url.includes('/refused/');
  await visit.open(one);
  await visit.follow(() => visit.page.click('form[action$="/resend"] button'));
  visit.check((await text(visit, '[role=alert]')).includes('Still refused'), 'what was not corrected is not told');
  await visit.accessible();
  const draft = JSON.parse(await visit.page.$eval('#message', (area) => area.value));
  await visit.page.$eval('#message', (area, mended) => { area.value = mended; }, JSON.stringify({ ...draft, accountId: 'a1000' }));
  await visit.page.focus('#message');
  await visit.page.keyboard.down('Control');
  await visit.follow(() => visit.page.keyboard.press('Enter'));
  await visit.page.keyboard.up('Control');
  visit.expected = () => false;
  const user = await visit.open(`/users/${draft.userId}`);
  visit.check(user.status() === 200 && (await text(visit, 'main')).includes('Halden'), 'what was corrected is not stored');
  await visit.open(orphans);
  visit.check((await count()) === before - 1, `${await count()} of ${before} are left`);
  await visit.open(deep);
  visit.answer = true;
  await visit.follow(() => visit.page.click('form[action$="/group/drop"] button'));
  await visit.open('/refused');
  visit.check(!(await group('too_deep')), 'what was dropped is still there');
};

exports.deleting = async (visit) => {
  const target = '/users/u1012-0';
  await visit.open(target);
  const name = await text(visit, 'h1');
  await unfold(visit, 'Delete');
  visit.expected = (url) => url.includes(target);
  await visit.page.type('form[action$="/delete"] [name=word]', 'maybe');
  await visit.follow(() => visit.page.click('form[action$="/delete"] button'));
  const still = await visit.open(target);
  visit.check(still.status() === 200, 'a user is deleted by another word');
  await unfold(visit, 'Delete');
  await visit.page.type('form[action$="/delete"] [name=word]', 'delete');
  await visit.follow(() => visit.page.click('form[action$="/delete"] button'));
  visit.check(here(visit).startsWith('/admin/deletions/'), `deleting leads to ${here(visit)}`);
  visit.check(!(await text(visit, 'main')).includes(name), 'the receipt tells the name');
  await visit.accessible();
  await visit.fits();
  const gone = await visit.open(target);
  visit.check(gone.status() === 404, `who was deleted is answered with ${gone.status()}`);
  visit.expected = () => false;
};
