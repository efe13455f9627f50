using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore.Tests
{
    /// <summary>A claim that does not hold.</summary>
    public sealed class CheckException : Exception
    {
        public CheckException(string message) : base(message)
        {
        }
    }

    /// <summary>What tests claim.</summary>
    internal static class Check
    {
        /// <summary>For what is the test's promise to end at all, on a machine that is busy with something else.</summary>
        internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

        internal static void Equal<T>(T expected, T actual)
        {
            if (!EqualityComparer<T>.Default.Equals(expected, actual)) throw new CheckException(Shown(actual) + " is not " + Shown(expected));
        }

        internal static void True(bool claim, object otherwise = null)
        {
            if (!claim) throw new CheckException("does not hold: " + otherwise);
        }

        internal static void Sequence<T>(IEnumerable<T> expected, IEnumerable<T> actual)
        {
            if (!expected.SequenceEqual(actual)) throw new CheckException(All(actual) + " is not " + All(expected));
        }

        /// <summary>The same keys with equal values, in any order.</summary>
        internal static void Same<T>(IEnumerable<KeyValuePair<string, T>> expected, IEnumerable<KeyValuePair<string, T>> actual) =>
            Sequence(
                expected.OrderBy(item => item.Key, StringComparer.Ordinal), actual.OrderBy(item => item.Key, StringComparer.Ordinal));

        internal static void Contains(string part, string text)
        {
            if (text.IndexOf(part, StringComparison.Ordinal) < 0) throw new CheckException(Shown(text) + " does not have " + Shown(part));
        }

        internal static void Lacks(string part, string text)
        {
            if (text.IndexOf(part, StringComparison.Ordinal) >= 0) throw new CheckException(Shown(text) + " has " + Shown(part));
        }

        internal static TError Throws<TError>(Action call) where TError : Exception
        {
            try
            {
                call();
            }
            catch (TError error)
            {
                return error;
            }
            throw new CheckException("no " + typeof(TError).Name + " was thrown");
        }

        /// <summary>The error of the C ABI's name, whose message holds neither a credential nor a payload.</summary>
        internal static FlagStoreException Fails(string name, bool retriable, Action call)
        {
            FlagStoreException error = Throws<FlagStoreException>(call);
            Equal("STORE_ERROR_" + name, error.CodeName);
            Equal(retriable, error.Retriable);
            Lacks(Endpoint.Secret, error.ToString());
            Lacks("p4yl0ad", error.ToString());
            return error;
        }

        internal static T Result<T>(Task<T> task)
        {
            Ends(task);
            return task.GetAwaiter().GetResult();
        }

        internal static void Ends(Task task)
        {
            try
            {
                if (task.Wait(Patience)) return;
            }
            catch (AggregateException)
            {
                return;
            }
            throw new CheckException("a task has not ended after " + Patience);
        }

        /// <summary>Waits for something that has no event of its own.</summary>
        internal static void Comes(Func<bool> claim, string what)
        {
            DateTime end = DateTime.UtcNow + Patience;
            while (!claim())
            {
                if (DateTime.UtcNow > end) throw new CheckException("has not come after " + Patience + ": " + what);
                Thread.Sleep(5);
            }
        }

        /// <summary>Runs a task on each of many threads, all at once; fails with the first failure.</summary>
        internal static void Together(int threads, Action<int> task)
        {
            var errors = new List<Exception>();
            using (var start = new Barrier(threads))
            {
                List<Thread> all = Enumerable.Range(0, threads).Select(number => new Thread(() =>
                {
                    try
                    {
                        start.SignalAndWait();
                        task(number);
                    }
                    catch (Exception error)
                    {
                        lock (errors) errors.Add(error);
                    }
                }) { IsBackground = true }).ToList();
                all.ForEach(thread => thread.Start());
                if (!all.All(thread => thread.Join(Patience))) throw new CheckException("a thread has not ended after " + Patience);
            }
            if (errors.Count > 0) throw new CheckException(errors.Count + " threads failed, first: " + errors[0]);
        }

        private static string Shown(object value)
        {
            string text = value == null ? "null" : "\"" + value + "\"";
            return text.Length > 2000 ? text.Substring(0, 2000) + "…" : text;
        }

        private static string All<T>(IEnumerable<T> values) => "[" + string.Join(", ", values.Select(value => Shown(value))) + "]";
    }
}
