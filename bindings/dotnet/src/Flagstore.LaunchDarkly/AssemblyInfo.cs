using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Flagstore.Tests")]
