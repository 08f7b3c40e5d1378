// Teaches the page to put a theme on by the button that a reader presses: that changes the colours of code as well. What a
// theme is made of may have to be loaded first, and until then a page wears half of another one.
(() => {
    const loading = (link) => !link.disabled && !link.sheet;
    window.wear = async (theme) => {
        document.getElementById(`mdbook-theme-${theme}`).click();
        const until = Date.now() + 30000;
        while ([...document.querySelectorAll('link[rel=stylesheet]')].some(loading) && Date.now() < until) {
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    };
    return true;
})()
