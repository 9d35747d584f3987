// What a workspace keeps for everybody in it, and what is done on the pages of operators: by forms, with and without a script.
const here = (visit) => {
  const { pathname, search } = new URL(visit.page.url());
  return pathname + search;
};
const text = (visit, selector) => visit.page.$eval(selector, (one) => one.innerText);
const EVIL = '<img src=x onerror="window.harmed = true">';

// What unfolds at a label, opened as people do.
const unfold = async (visit, label, within = 'main') => {
  for (const one of await visit.page.$$(`${within} details`)) {
    const says = await one.$eval('summary', (summary) => summary.innerText);
    if (!says.startsWith(label)) continue;
    if (!(await one.evaluate((details) => details.open))) await (await one.$('summary')).click();
    return one;
  }
  visit.find(`nothing unfolds at ${label}`);
  throw new Error(`nothing unfolds at ${label}`);
};
const names = (visit) => visit.page.$$eval('main .kept > li > a', (all) => all.map((one) => one.textContent));

// What is unfolded is sound, on a phone too.
const judge = async (visit) => {
  await visit.accessible();
  await visit.shoot(`${visit.step} unfolded`);
  await visit.look('light', 390);
  await visit.fits();
  const out = await visit.page.$$eval('.drop[open] > div', (all) => all.map((one) => one.getBoundingClientRect()).filter(({ left, right }) => left < 0 || right > 390).length);
  visit.check(out === 0, 'what is unfolded sticks out of a phone');
  await visit.shoot(`${visit.step} unfolded phone`);
  await visit.look('light', 1280);
};

// A view is kept, found by somebody else, renamed, changed and removed.
const view = async (visit, reader) => {
  const address = '/accounts?sortBy=mrr&order=desc&trait.plan=business';
  await visit.open(address);
  const shelf = await unfold(visit, 'Views');
  await visit.page.type('#kept-name', EVIL);
  const save = await shelf.$('form[action="/saved"] button');
  await visit.follow(() => save.click());
  visit.check(here(visit) === address, `keeping a view leads to ${here(visit)}`);
  await visit.harmless();
  await visit.open('/accounts');
  visit.check((await names(visit)).includes(EVIL), 'the view is not kept under its name');
  if (reader) {
    await reader.open('/accounts');
    await unfold(reader, 'Views');
    reader.check((await names(reader)).includes(EVIL), 'somebody else does not see the view');
    reader.check(!(await reader.page.$('main .kept details')), 'somebody else may change the view');
    const link = await reader.page.$('main .kept a');
    await reader.follow(() => link.click());
    reader.check(here(reader) === '/accounts?sortBy=mrr&order=desc&trait.plan=business', `the view leads to ${here(reader)}`);
    await reader.harmless();
  }
  const change = async (act) => {
    await unfold(visit, 'Views');
    const one = await unfold(visit, 'Change', 'main .kept');
    if (reader) await judge(visit);
    const button = await act(one);
    await visit.follow(() => button.click());
  };
  await change(async (one) => {
    const field = await one.$('[name=name]');
    await field.click({ count: 3 });
    await field.type('Best paying');
    return one.$('button:not([formaction])');
  });
  visit.check((await names(visit)).includes('Best paying'), `after renaming there are ${await names(visit)}`);
  await visit.open('/accounts?sortBy=mrr&order=asc');
  await change((one) => one.$('button[formaction$="/text"]'));
  const href = await visit.page.$eval('main .kept a', (one) => one.getAttribute('href'));
  visit.check(href === '/accounts?sortBy=mrr&order=asc', `the view is changed to ${href}`);
  visit.answer = true;
  await change((one) => one.$('button[formaction$="/remove"]'));
  visit.answer = undefined;
  visit.check((await names(visit)).length === 0, 'the view is still there');
};

// A query is kept from the form it is asked with, opened without being run, and removed.
const query = async (visit, reader) => {
  await visit.open('/sql');
  await visit.fill('textarea', "select '</textarea><b>x' as y");
  await unfold(visit, 'Saved queries');
  await visit.page.type('#kept-name', EVIL);
  const save = await visit.page.$('button[form=ask][formaction="/saved"]');
  await visit.follow(() => save.click());
  visit.check(here(visit).startsWith('/sql?saved='), `keeping a query leads to ${here(visit)}`);
  visit.check((await visit.page.$eval('textarea', (one) => one.value)).includes('</textarea><b>x'), 'the statement is another one');
  visit.check(!(await visit.page.$('main table.result')), 'a query is run by being opened');
  visit.check((await names(visit)).includes(EVIL), 'the query is not kept under its name');
  await visit.harmless();
  await unfold(visit, 'Saved queries');
  const one = await unfold(visit, 'Change', 'main .kept');
  if (reader) await judge(visit);
  visit.answer = true;
  const remove = await one.$('button[formaction$="/remove"]');
  await visit.follow(() => remove.click());
  visit.answer = undefined;
  visit.check((await names(visit)).length === 0, 'the query is still there');
};

exports.keeping = async (visit, token, _, reading) => {
  const reader = await visit.other();
  await reader.signIn(reading, '/accounts');
  await view(visit, reader);
  await query(visit, reader);
};

// What a browser held from before is offered, and kept for everybody.
exports.handingOver = async (visit) => {
  await visit.open('/users');
  await visit.page.evaluate((evil) => localStorage.setItem('muster:user', JSON.stringify([{ label: evil, value: '?search=ada' }, { label: 'all', value: '?' }])), EVIL);
  await visit.open('/users');
  const shelf = await unfold(visit, 'Views');
  visit.check((await shelf.evaluate((one) => one.innerText)).includes('2 more are in this browser alone'), 'what the browser holds is not offered');
  await visit.accessible();
  const keep = await shelf.$('[data-keep]');
  await visit.follow(() => keep.click());
  visit.check((await names(visit)).join() === `${EVIL},all`, `kept are ${await names(visit)}`);
  visit.check(!(await visit.page.evaluate(() => localStorage.getItem('muster:user'))), 'the browser holds them still');
  await visit.harmless();
};

// The same by somebody whose browser runs no script.
exports.withoutScript = async (visit, token) => {
  const plain = await visit.other();
  await plain.page.setJavaScriptEnabled(false);
  plain.step = 'without a script';
  await plain.signIn(token, '/accounts');
  await view(plain);
  await query(plain);
  await plain.open('/accounts?sortBy=mrr');
  await plain.follow(() => plain.page.click('form[action="/theme"] button'));
  plain.check(here(plain) === '/accounts?sortBy=mrr' && (await plain.page.$('html[data-theme=light]')), `choosing a theme leads to ${here(plain)}`);
  await plain.open('/refused');
  const group = await plain.page.$('main tbody a');
  await plain.follow(() => group.click());
  plain.check(await plain.page.$('main form[action="/refused/group/resend"] button'), 'a group cannot be sent again');
  const again = await plain.page.$('main form[action="/refused/group/resend"] button');
  await plain.follow(() => again.click());
  plain.check((await text(plain, '[role=status]')).includes('still refused'), 'what became of the group is not told');
};

// Where messages go is said on pages, with every name as it is called.
exports.sendingOn = async (visit) => {
  await visit.open('/admin/destinations');
  await visit.fill('form[action="/admin/destinations"] [name=name]', 'hooks');
  await visit.page.select('form[action="/admin/destinations"] [name=kind]', 'webhook');
  await visit.fill('form[action="/admin/destinations"] [name=url]', 'http://127.0.0.1:9/');
  await unfold(visit, 'Only some messages');
  await visit.page.click('[name="type.track"]');
  await visit.fill('[name=events]', EVIL);
  await judge(visit);
  await visit.follow(() => visit.page.click('form[action="/admin/destinations"] button.primary'));
  visit.check((await text(visit, '#token')).startsWith('whsec_'), 'no secret is shown');
  await visit.open('/admin/destinations/hooks');
  visit.check((await text(visit, 'main .facts')).includes(EVIL), 'the filter is not shown as it is called');
  await unfold(visit, 'Change');
  visit.check((await visit.page.$eval('[name=events]', (one) => one.value)) === EVIL, 'the form has another filter');
  await visit.fill('[name=messagesPerSecond]', '5');
  await judge(visit);
  await visit.follow(() => visit.page.click('form[action="/admin/destinations/hooks"] button.primary'));
  visit.check((await text(visit, 'main .facts')).includes('5 messages a second'), 'the pace is not changed');
  await visit.harmless();
  visit.answer = true;
  await visit.follow(() => visit.page.click('form[action$="/hooks/remove"] button'));
  visit.check(!(await text(visit, 'main')).includes('hooks'), 'the destination is still there');
};

// Who operates the server makes a workspace; its first key enters it.
exports.operating = async (visit, token, _, __, operator) => {
  visit.check(!(await visit.page.$('nav a[href="/admin/workspaces"]')), 'everybody is led to all workspaces');
  const other = await visit.other();
  await other.signIn(operator, '/admin/workspaces');
  other.check((await text(other, 'main table')).includes('empty'), 'a workspace is not listed');
  await other.accessible();
  await other.fits();
  await other.fill('main [name=name]', 'made-here');
  await other.follow(() => other.page.click('form[action="/admin/workspaces"] button'));
  const first = (await text(other, '#token')).trim();
  other.check((await text(other, 'main table')).includes('made-here'), 'what was made is not listed');
  await other.accessible();
  const inside = await visit.other();
  await inside.signIn(first);
  inside.check((await text(inside, '.who')).includes('made-here'), 'the first key leads elsewhere');
};

// A step of many goes on by itself where it was begun; an address alone, from wherever it comes, does nothing.
exports.goingOn = async (visit) => {
  const address = '/refused?code=user_needs_parent&place=%2FaccountId&on=nowhere&dropped=3';
  await visit.open(address);
  const told = await text(visit, '[role=status]');
  visit.check(told.includes('More is left') && !told.includes('3 messages'), `an address that nobody was led to tells: ${told}`);
  await visit.accessible();
  await new Promise((done) => { setTimeout(done, 300); });
  visit.check(here(visit) === address, `an address alone leads to ${here(visit)}`);
  await visit.page.$eval('form[data-go-on]', (form) => sessionStorage.setItem('muster:steps', form.action));
  visit.expected = (url) => url.endsWith('/refused/group/drop');
  await visit.page.reload({ waitUntil: 'domcontentloaded' });
  await visit.page.waitForFunction(() => window.location.pathname === '/refused/group/drop').catch(() => visit.find('a step that was begun here does not go on'));
  visit.expected = () => false;
  await visit.open('/refused');
  visit.check(!(await visit.page.evaluate(() => sessionStorage.getItem('muster:steps'))), 'a step that is over is remembered');
};
