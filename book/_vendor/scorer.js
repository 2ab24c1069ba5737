/* How the site's search ranks what it finds: titles of pages and of sections first, then
   a name of the library that is written just so, then texts. By Sphinx's own numbers a
   module stands before the chapter that explains it. */
var Scorer = {
  objNameMatch: 6,
  objPartialMatch: 3,
  objPrio: { 0: 0, 1: 0, 2: 0 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
