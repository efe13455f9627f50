using System;
using Flagstore;
using Flagstore.Extensions;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection
{
    /// <summary>Registers a <see cref="FlagStore"/> with a service collection.</summary>
    public static class FlagstoreServiceCollectionExtensions
    {
        /// <summary>
        /// Adds a <see cref="FlagStore"/> that is opened when it is first asked for and closed with the container. Its events go to
        /// the <see cref="ILoggerFactory"/> of the container, if it has one, under the name
        /// <see cref="FlagstoreLogging.Category"/>; unless <see cref="FlagStoreOptions.OnEvent"/> is set.
        /// </summary>
        /// <param name="services">where it is added</param>
        /// <param name="table">name or ARN of the table</param>
        /// <param name="configure">sets options; null for none</param>
        /// <returns><paramref name="services"/></returns>
        /// <example>
        /// <code>
        /// builder.Services.AddFlagstore("flags", options => options.Prefix = "production");
        /// </code>
        /// </example>
        public static IServiceCollection AddFlagstore(
            this IServiceCollection services, string table, Action<FlagStoreOptions> configure = null) =>
            services.AddFlagstore(table, (_, options) => configure?.Invoke(options));

        /// <summary>
        /// The same, with the container to take options from, such as those of a configuration.
        /// </summary>
        /// <param name="services">where it is added</param>
        /// <param name="table">name or ARN of the table</param>
        /// <param name="configure">sets options</param>
        /// <returns><paramref name="services"/></returns>
        public static IServiceCollection AddFlagstore(
            this IServiceCollection services, string table, Action<IServiceProvider, FlagStoreOptions> configure)
        {
            if (services == null) throw new ArgumentNullException(nameof(services));
            if (configure == null) throw new ArgumentNullException(nameof(configure));
            return services.AddSingleton(provider =>
            {
                var options = new FlagStoreOptions(table);
                configure(provider, options);
                ILoggerFactory loggers = provider.GetService<ILoggerFactory>();
                if (options.OnEvent == null && loggers != null) options.LogTo(loggers.CreateLogger(FlagstoreLogging.Category));
                return FlagStore.Open(options);
            });
        }
    }
}
