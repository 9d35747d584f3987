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
  const filtered = here(visit);
  const views = await unfold(visit, 'Views');
  await visit.page.type('#view-name', '<b>Best</b>');
  await (await views.$('[data-save]')).click();
  visit.check((await views.evaluate((one) => one.innerText)).includes('<b>Best</b>'), 'the view is not kept under its name');
  await visit.open('/accounts');
  const kept = await (await unfold(visit, 'Views')).$('ul a');
  await visit.follow(() => kept.click());
  visit.check(here(visit) === filtered, `the view leads to ${here(visit)} rather than ${filtered}`);
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
