// What a person does at the pages, for clients that are tested without a browser: keeps cookies,
// follows redirects, fills in the forms that come.
'use strict';

class Person {
  constructor(issuer, username, password) {
    this.issuer = issuer;
    this.username = username;
    this.password = password;
    this.cookies = new Map();
  }

  async fetch(url, fields) {
    const headers = { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const options = { headers, redirect: 'manual' };
    if (fields) {
      options.method = 'POST';
      options.body = new URLSearchParams(fields);
      headers['sec-fetch-site'] = 'same-origin';
    }
    const answer = await fetch(url, options);
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const [name, value] = pair.split(/=(.*)/);
      if (attributes.includes('Max-Age=0')) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  // Goes where an authorization request leads, until the client is reached; its URL.
  async authorize(request) {
    let at = request;
    for (let step = 0; step < 12; step += 1) {
      const answer = await this.fetch(at);
      const next = answer.headers.get('location');
      if (next) {
        at = new URL(next, at).href;
        if (!at.startsWith(this.issuer)) return at;
        continue;
      }
      const url = new URL(at);
      if (answer.status !== 200) throw new Error(`${answer.status} at ${url.pathname}`);
      const fields = url.pathname.endsWith('/consent')
        ? { action: 'allow', shown: /name="shown" value="([^"]*)"/.exec(await answer.text())[1] }
        : { username: this.username, password: this.password, action: 'sign-in' };
      if (url.pathname.endsWith('/login/again')) url.pathname = url.pathname.replace('/again', '');
      const sent = await this.fetch(url.href, fields);
      if (sent.status !== 303) throw new Error(`${sent.status} after the form at ${url.pathname}`);
      at = new URL(sent.headers.get('location'), at).href;
      if (!at.startsWith(this.issuer)) return at;
    }
    throw new Error('a circle of redirects');
  }
}

module.exports = { Person };
