// Opens the search, types a word, and waits until results are shown. Half a minute is for slow machines.
(async () => {
    const wait = (what) => new Promise((resolve) => {
        const until = Date.now() + 30000;
        const look = () => {
            const found = what();
            if (found || Date.now() > until) resolve(found);
            else setTimeout(look, 50);
        };
        look();
    });
    const button = document.querySelector('#mdbook-search-toggle, #search-toggle');
    button.click();
    // The index is loaded when the search is opened for the first time.
    const bar = document.querySelector('#mdbook-searchbar, #searchbar');
    const results = () => [...document.querySelectorAll('#mdbook-searchresults a, #searchresults a')];
    await wait(() => {
        bar.value = 'pivot_root';
        bar.dispatchEvent(new InputEvent('input', { bubbles: true }));
        bar.dispatchEvent(new KeyboardEvent('keyup', { bubbles: true }));
        return results().length > 0;
    });
    return results().map((link) => link.getAttribute('href'));
})()
